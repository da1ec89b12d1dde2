-- Of `chosen`: nothing of it is planned any more.
update activation.sync_snapshot set state = 'dropped' where ref = $ref and state = 'held' and key in (select key from chosen where not is_failure);

update activation.sync_failures set state = 'discarded' where ref = $ref and key in (select key from chosen where is_failure);
