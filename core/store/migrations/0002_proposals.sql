-- Which program was found for which head; another head's may still fit it better.
CREATE TABLE proposals (
    model_id TEXT NOT NULL,
    layer INTEGER NOT NULL,
    head INTEGER NOT NULL,
    program_id TEXT NOT NULL,
    PRIMARY KEY (model_id, layer, head, program_id)
);
