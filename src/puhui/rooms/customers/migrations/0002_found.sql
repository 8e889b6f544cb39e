-- Staff find a person by the name as he gave it: a keyed blind index, like that of phone and id number. Where he lives has a tier if it is a city.
alter table customers.identities add column name_blind bytea;
create index identities_name on customers.identities (name_blind) where name_blind is not null;
alter table customers.customers add column living_place_tier int not null default 0 check (living_place_tier between 0 and 9);
