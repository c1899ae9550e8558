-- In: person_id, patience. After so many failures in a row each further one locks for longer:
-- a minute, two, four … up to an hour.
UPDATE sec.password SET failures = failures + 1,
  locked_until = CASE WHEN failures + 1 >= :patience
    THEN now() + least(60, power(2, least(failures + 1 - :patience, 10))) * interval '1 minute' END
WHERE person_id = :person_id
RETURNING locked_until
