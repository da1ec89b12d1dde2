{#
For an incremental model whose rows are each about one person or one visitor and are made of that one's events: what it has to make
again. `key` is profile_id or visitor_key, a column of the model. Gives

    events    the relation to read events from
    wanted    a condition on its rows
    mine      a condition on rows that have the key as a column
    is_part   whether that is less than everything
    stamp     columns that the model ends with: up to where it has seen, and by which rules

Made again is whoever int_event_sets found changed since the model last ran, and whom `also` (a select of keys) names. All is made again
where the model's own text has changed, where it counts up to the moment of the build (`as_of_now`) and int_event_sets spoke of another, one of its `rules` (relations), of its `settings` (texts) or of the rules of a model it is made of
(`upstream`). What is made again takes the place of what `leave_changed` takes out of the table: the two belong into one transaction.
#}
{% macro changed_events(key, rules=[], settings=[], upstream=[], also=none, as_of_now=false) -%}
    {#- A unit test says what goes in, and sees all that comes out. -#}
    {%- if execute and model.resource_type == 'unit_test' -%}
        {{ return({'events': none, 'wanted': 'true', 'mine': 'true', 'is_part': false, 'stamp': stamp('1970-01-01', '')}) }}
    {%- endif -%}
    {%- set events, sets, news = ref('fct_events'), ref('int_event_sets'), ref('int_changed_events') -%}
    {#- Before int_event_sets was ever built nothing is known to be unchanged. -#}
    {%- if not (execute and flags.WHICH in ('run', 'build')) or load_relation(sets) is none -%}
        {%- if execute and is_incremental() and flags.WHICH in ('run', 'build') -%}
            {%- do create_temporary(model.name ~ '_changed', 'select ' ~ key ~ ' from ' ~ this) -%}
        {%- endif -%}
        {{ return({'events': events, 'wanted': 'true', 'mine': 'true', 'is_part': false, 'stamp': stamp('1970-01-01', '')}) }}
    {%- endif -%}
    {%- set basis = rules_basis(rules, settings, upstream) -%}
    {%- set latest = run_query("select cast(max(changed_at) as varchar) from " ~ sets).columns[0].values()[0] -%}
    {%- set all = {'events': events, 'wanted': 'true', 'mine': 'true', 'is_part': false, 'stamp': stamp(latest, basis)} -%}
    {%- set changed = model.name ~ '_changed' -%}
    {#- A build of chosen models about another moment than the one that int_event_sets knows of: all now, and all the next time. -#}
    {%- if as_of_now and run_query("select count(*) from " ~ sets ~ " where profile_id = '' and visitor_key = 0 and fingerprint = cast(" ~ as_of() ~ " as varchar)").rows[0][0] == 0 -%}
        {%- if is_incremental() -%}
            {%- do create_temporary(changed, 'select ' ~ key ~ ' from ' ~ this) -%}
        {%- endif -%}
        {{ return({'events': events, 'wanted': 'true', 'mine': 'true', 'is_part': false, 'stamp': stamp('1970-01-01', basis)}) }}
    {%- endif -%}
    {%- if not is_incremental() -%}
        {{ return(all) }}
    {%- endif -%}
    {# A table from before there was a stamp has seen nothing. #}
    {%- if '_basis' not in adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
        {%- do run_query('alter table ' ~ this ~ ' add column _seen_to timestamp') -%}
        {%- do run_query('alter table ' ~ this ~ ' add column _basis varchar(32)') -%}
    {%- endif -%}
    {%- set seen = run_query('select cast(max(_seen_to) as varchar), min(_basis), max(_basis) from ' ~ this).rows[0] -%}
    {%- set is_part = seen[0] is not none and seen[1] == basis and seen[2] == basis
        and run_query("select min(changed_at) <= cast('" ~ seen[0] ~ "' as timestamp) from " ~ sets ~ " where profile_id <> '' or visitor_key <> 0").rows[0][0] -%}
    {%- if not is_part -%}
        {%- do create_temporary(changed, 'select ' ~ key ~ ' from ' ~ this) -%}
        {{ return(all) }}
    {%- endif -%}
    {%- set since -%} select distinct {{ key }} from {{ sets }} where {{ key }} <> {{ '0' if key == 'visitor_key' else "''" }} and changed_at > cast('{{ seen[0] }}' as timestamp) {%- endset -%}
    {%- do create_temporary(changed, since ~ (' union ' ~ also if also else '')) -%}
    {# The events of the last build's changed ones lie ready: enough, unless this model missed a build or has others to make again. #}
    {%- set is_ready = run_query("
        select (select count(*) from " ~ changed ~ ") = 0 or coalesce((select max(_found_at) from " ~ news ~ ") = cast('" ~ latest ~ "' as timestamp), false)
            and coalesce((select max(changed_at) from " ~ sets ~ " where changed_at < cast('" ~ latest ~ "' as timestamp)) <= cast('" ~ seen[0] ~ "' as timestamp), false)
            and (select count(*) from " ~ changed ~ ") = (select count(*) from (" ~ since ~ ") as since)").rows[0][0] -%}
    {%- set of_event = 'coalesce(device_key, identifier_key)' if key == 'visitor_key' else key -%}
    {{ return({
        'events': news if is_ready else events,
        'wanted': of_event ~ ' in (select ' ~ key ~ ' from ' ~ changed ~ ')',
        'mine': key ~ ' in (select ' ~ key ~ ' from ' ~ changed ~ ')',
        'is_part': true,
        'stamp': all.stamp
    }) }}
{%- endmacro %}

{# The rows of whoever is made again, which what the model returns takes the place of. #}
{% macro leave_changed(relation, key) -%}
    {%- if execute and is_incremental() and flags.WHICH in ('run', 'build') -%}
        delete from {{ relation }} where {{ key }} in (select {{ key }} from {{ model.name }}_changed)
        {{- ';\n' ~ note_people('select * from ' ~ model.name ~ '_changed') if whose() }}
    {%- endif -%}
{%- endmacro %}

{# The columns at the end of a model that makes again only what changed. #}
{% macro stamp(seen_to, basis) -%}
    cast('{{ seen_to }}' as timestamp) as _seen_to, '{{ basis }}' as _basis
{%- endmacro %}

{# One text for the model's own words, its settings and all rows of its rules: with another text come other rows. #}
{% macro rules_basis(rules, settings, upstream) -%}
    {%- set texts = [model.raw_code] + settings -%}
    {%- for relation in rules -%}
        {%- do texts.append(fingerprint(relation)) -%}
    {%- endfor -%}
    {%- for relation in upstream -%}
        {%- do texts.append(run_query('select max(_basis) from ' ~ relation).rows[0][0] | string) -%}
    {%- endfor -%}
    {{ return(local_md5(texts | join('|'))) }}
{%- endmacro %}

{# How often a build spoke of an earlier moment than the one before it: the setting of a model that moments only pass out of. #}
{% macro times_gone_back() -%}
    {%- if execute and model.resource_type == 'unit_test' -%}
        {{ return('') }}
    {%- endif -%}
    {%- set sets = ref('int_event_sets') -%}
    {%- if execute and flags.WHICH in ('run', 'build') and load_relation(sets) is not none -%}
        {{ return(run_query("select max(events) from " ~ sets ~ " where profile_id = '' and visitor_key = 0").rows[0][0] | string) }}
    {%- endif -%}
    {{ return('') }}
{%- endmacro %}

{# Two timestamps: the moment that the build before spoke of, as int_event_sets (`sets`) knows it, and that of this build, the earlier one first. #}
{% macro moments_between(sets) -%}
    {%- if not (execute and flags.WHICH in ('run', 'build')) -%}
        {{ return([as_of(), as_of()]) }}
    {%- endif -%}
    {%- set before = "cast(coalesce((select max(fingerprint) from " ~ sets ~ " where profile_id = '' and visitor_key = 0), '1970-01-01') as timestamp)" -%}
    {%- set both = before ~ ', ' ~ as_of() -%}
    {%- set moments = run_query('select cast(least(' ~ both ~ ') as varchar), cast(greatest(' ~ both ~ ') as varchar)').rows[0] -%}
    {{ return(["cast('" ~ moments[0] ~ "' as timestamp)", "cast('" ~ moments[1] ~ "' as timestamp)"]) }}
{%- endmacro %}
