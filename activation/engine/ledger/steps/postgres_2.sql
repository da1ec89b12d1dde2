-- Lots: many rows that leave in one call, in one line. A row with an answer of its own stands in `deliveries` and wins.
create table lots (
    run_id text not null, batch bigint not null, first_row bigint not null, last_row bigint not null, rows bigint not null,
    intended_at double precision not null, outcome text, code text, reason text, answered_at double precision,
    primary key (run_id, batch)
);
