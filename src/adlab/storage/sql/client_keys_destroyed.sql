-- Out: names of keys of clients that were off-boarded.
SELECT key_name::text FROM app.offboarding WHERE step IN ('shredded', 'done')
