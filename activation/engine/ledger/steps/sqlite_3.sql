-- How it is with each destination, sync and send, and which channels know: `told` is a list of them, `claims` when each claim runs out.
create table alerts (
    subject text primary key, failing integer not null, since text not null, ended text,
    code text not null, sentence text not null, advice text not null,
    told text not null, claims text not null, version integer not null
) strict;
