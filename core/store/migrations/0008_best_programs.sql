-- Every head's best program: the highest IoU on validation, then the fewest nodes, then the id. Whatever asks for the
-- best program asks this view.
CREATE VIEW best_programs AS
SELECT model_id, layer, head, arg_min(program_id, (-iou, nodes, program_id)) AS program_id, max(iou) AS iou
FROM scores JOIN programs USING (program_id)
WHERE split = 'validation'
GROUP BY model_id, layer, head;
