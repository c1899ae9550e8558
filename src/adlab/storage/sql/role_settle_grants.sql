-- Let every grant follow its role again.
UPDATE sec.access a SET role = a.role
WHERE a.sees_data IS DISTINCT FROM sec.role_has(a.role, 'see_data')
