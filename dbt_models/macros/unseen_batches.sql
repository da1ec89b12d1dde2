{#
True for the rows of `relation` that came with a batch this incremental model has not taken yet; simply true on a full build.
A batch is the unit rather than a time stamp, so late events, and landings under one and the same clock, are neither lost nor
taken twice. The names are written out as a list because that prunes row groups, which a join does not. `source` tells batches
apart where one model takes in several relations.
#}
{% macro unseen_batches(relation, source=none) -%}
    {%- if not (execute and is_incremental()) -%}
        true
    {%- else -%}
        {%- set query -%}
            select distinct _batch_id from {{ relation }}
            except
            select distinct _batch_id from {{ this }} {%- if source %} where source = '{{ source }}' {%- endif %}
        {%- endset -%}
        {%- set batches = run_query(query).columns[0].values() -%}
        {%- if batches -%}
            _batch_id in ({% for batch in batches %}'{{ batch | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- else -%}
            false
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
