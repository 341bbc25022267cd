-- So that a later release sees whether one is there that could not go on after its step. NULL: written by a release of format 1.
ALTER TABLE replica ADD COLUMN format bigint;
