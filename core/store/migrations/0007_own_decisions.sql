-- What another workspace decided is told apart from what was decided here, which undo takes back first.
ALTER TABLE verdicts ADD COLUMN is_imported BOOLEAN DEFAULT FALSE;

-- Each reviewer's word on each (head, program): the latest accept or reject that was not undone; else the latest
-- flag; else skip. Events are ordered by time, since imported ones are numbered later than they were made.
CREATE OR REPLACE VIEW reviewer_verdicts AS
SELECT * FROM verdicts
WHERE action <> 'undo'
  AND event NOT IN (SELECT undoes FROM verdicts WHERE undoes IS NOT NULL)
QUALIFY row_number() OVER (
    PARTITION BY model_id, layer, head, program_id, reviewer
    ORDER BY CASE action WHEN 'flag' THEN 1 WHEN 'skip' THEN 2 ELSE 0 END, made_at DESC, event DESC) = 1;

-- What stands on each (head, program): the latest accept or reject of any reviewer; else the latest flag; else skip.
CREATE OR REPLACE VIEW standing_verdicts AS
SELECT * FROM reviewer_verdicts
QUALIFY row_number() OVER (
    PARTITION BY model_id, layer, head, program_id
    ORDER BY CASE action WHEN 'flag' THEN 1 WHEN 'skip' THEN 2 ELSE 0 END, made_at DESC, event DESC) = 1;
