-- A head of a stored hybrid is "L3H7"; it was {"layer": 3, "head": 7} among the program's other keys.
UPDATE hybrids SET programs = coalesce((
    SELECT to_json(list({
        'head': concat('L', row ->> 'layer', 'H', row ->> 'head'),
        'source': row ->> 'source',
        'parent': row ->> 'parent'
    } ORDER BY place))
    FROM (
        SELECT unnest(from_json(programs, '["JSON"]')) AS row,
               generate_subscripts(from_json(programs, '["JSON"]'), 1) AS place
    )
), '[]');
