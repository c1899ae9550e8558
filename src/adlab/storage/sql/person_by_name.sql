-- In: name (or username). Out: the person and their viewer role; an exact name comes first.
SELECT p.person_id, p.name, p.username, p.role, p.all_clients, p.disabled_at,
       (SELECT l.login FROM sec.login l WHERE l.person_id = p.person_id AND l.kind = 'viewer') AS viewer
FROM sec.person p WHERE p.name = :name OR p.username = :name
ORDER BY p.name = :name DESC LIMIT 1
