-- What a program is written in: 'language', or 'plain' for Python that the sandbox runs and nothing else reads.
ALTER TABLE programs ADD COLUMN kind TEXT DEFAULT 'language';

-- Why a program failed on a model's passages: a row a sort of failure, with one of its details.
CREATE TABLE program_failures (
    model_id TEXT NOT NULL,
    program_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    passages INTEGER NOT NULL,
    PRIMARY KEY (model_id, program_id, kind)
);
