-- Of `chosen`: what was held is in no state any more, and what was dead has never failed.
delete from activation.sync_snapshot
where ref = $ref and state in ('held', 'dropped') and key in (select key from chosen where not is_failure);

delete from activation.sync_failures where ref = $ref and key in (select key from chosen where is_failure);
