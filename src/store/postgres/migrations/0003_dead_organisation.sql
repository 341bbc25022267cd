-- Whether anything of an organisation is dead: asked where a person writes its name. Only dead ones are in it.
CREATE INDEX delivery_dead_organisation ON delivery (organisation) WHERE state = 'dead';
