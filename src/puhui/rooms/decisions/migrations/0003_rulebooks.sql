-- A policy is a manifest now, and the rules it names; policies of the first kind stay, for what they decided.
alter table decisions.artefacts drop constraint artefacts_kind_check;
alter table decisions.artefacts add constraint artefacts_kind_check check (kind in ('scorecard', 'policy', 'product', 'manifest', 'rules'));
