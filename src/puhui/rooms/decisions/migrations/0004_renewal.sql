-- A record is never changed; only its two sealed cells may be encrypted anew under a fresh key, all else being equal (`foundation/renewal`).
create or replace function decisions.refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and coalesce(current_setting('puhui.renewing', true), '') = 'on'
        and to_jsonb(new) - array['inputs_sealed', 'outcome_sealed'] = to_jsonb(old) - array['inputs_sealed', 'outcome_sealed'] then
        return new;
    end if;
    raise exception 'a decision record is never changed';
end $$;
