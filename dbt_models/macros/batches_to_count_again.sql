{#
A condition for the rows of `events` of those batches of which `counts`, this model, has another number of events or another `fingerprint` (an
aggregate that can be added up) than they have now. Its rows of them are to be taken out with `leave_changed` in the same transaction.
#}
{% macro batches_to_count_again(counts, events, fingerprint) -%}
    {%- if not is_added_to() -%}
        {{ return('true') }}
    {%- endif -%}
    {%- do create_temporary(model.name ~ '_changed', "
        with now as (
            select _batch_id, count(*) as events, " ~ fingerprint ~ " as fingerprint
            from " ~ events ~ "
            group by _batch_id
        ),

        before as (
            select _batch_id, sum(events) as events, sum(fingerprint) as fingerprint
            from " ~ counts ~ "
            group by _batch_id
        )

        select coalesce(now._batch_id, before._batch_id) as _batch_id
        from now
        full join before on now._batch_id = before._batch_id
        where now.events is distinct from before.events or now.fingerprint is distinct from before.fingerprint
    ") -%}
    {{ return(of_batches(run_query('select _batch_id from ' ~ model.name ~ '_changed').columns[0].values())) }}
{%- endmacro %}
