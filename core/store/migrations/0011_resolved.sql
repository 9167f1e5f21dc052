-- What a program that looks at other heads reaches with those heads' own programs in their place. `chain` names all
-- that it rests on: a row counts as long as the best programs of the heads below still are those.
CREATE TABLE resolved (
    model_id TEXT NOT NULL,
    program_id TEXT NOT NULL,
    layer INTEGER NOT NULL,
    head INTEGER NOT NULL,
    split TEXT NOT NULL,
    iou FLOAT NOT NULL,
    low FLOAT NOT NULL,
    high FLOAT NOT NULL,
    failures INTEGER NOT NULL,
    chain TEXT NOT NULL
);
