-- Let every person's columns follow their role again; who sees every client is granted each one.
UPDATE sec.person p SET role = p.role
WHERE (p.all_clients, p.sees_audit) IS DISTINCT FROM
      (sec.role_has(p.role, 'see_all_clients'), sec.role_has(p.role, 'see_audit'))
