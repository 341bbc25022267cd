//! The public HTTP side: receives a webhook, has it verified, mapped and stored, and answers.
