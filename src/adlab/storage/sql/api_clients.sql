-- Out: clients this login may see: number, slug.
SELECT client_id, slug FROM api.clients ORDER BY client_id
