-- In: name. Out: the person and their viewer role.
SELECT p.person_id, p.name, p.role, p.all_clients, p.disabled_at,
       (SELECT l.login FROM sec.login l WHERE l.person_id = p.person_id AND l.kind = 'viewer') AS viewer
FROM sec.person p WHERE p.name = :name
