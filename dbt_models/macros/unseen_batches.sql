{#
True for the rows of `relation` that came with a batch this incremental model has not taken yet; simply true on a full build.
A batch is the unit rather than a time stamp, so late events, and landings under one and the same clock, are neither lost nor
taken twice. The names are written out as a list because that prunes row groups, which a join does not. `source` tells batches
apart where one model takes in several relations; it then says what it has once, in `taken` (batches_taken), and not for each of them.
#}
{% macro unseen_batches(relation, source=none, taken=none) -%}
    {%- if not is_added_to() -%}
        true
    {%- else -%}
        {%- set query -%}
            select distinct _batch_id from {{ relation }}
            except
            select distinct _batch_id from {{ taken or this }} {%- if source %} where source = '{{ source }}' {%- endif %}
        {%- endset -%}
        {{- of_batches(run_query(query).columns[0].values()) -}}
    {%- endif -%}
{%- endmacro %}

{# A condition: whether a row came with one of these batches. #}
{% macro of_batches(batches) -%}
    {%- if batches -%}
        _batch_id in ({% for batch in batches %}'{{ batch | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor %})
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{# The temporary table of the sources and batches that this incremental model has taken; none on a full build. #}
{% macro batches_taken() -%}
    {%- if not is_added_to() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- do create_temporary(model.name ~ '_taken', 'select distinct source, _batch_id from ' ~ this) -%}
    {{ return(model.name ~ '_taken') }}
{%- endmacro %}
