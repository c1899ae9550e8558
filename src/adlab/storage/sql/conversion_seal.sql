-- In: conversion_id, payload_sealed. Puts the sealed payload in the place of the open one.
UPDATE app.conversion_event SET payload = NULL, payload_sealed = :payload_sealed
WHERE conversion_id = :conversion_id AND payload IS NOT NULL
