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

-- Programs of the language that were found for what plain Python does, and how much both share on test passages.
CREATE TABLE conversions (
    model_id TEXT NOT NULL,
    plain_id TEXT NOT NULL,
    program_id TEXT NOT NULL,
    iou REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    passages INTEGER NOT NULL,
    PRIMARY KEY (model_id, plain_id, program_id)
);
