{# Text in ISO 8601, with or without an offset, as a timestamp in UTC; null where it cannot be read. #}
{% macro utc_timestamp(text) -%}
    {{ return(adapter.dispatch('utc_timestamp')(text)) }}
{%- endmacro %}

{% macro default__utc_timestamp(text) -%}
    cast(cast({{ text }} as timestamp with time zone) at time zone 'UTC' as timestamp)
{%- endmacro %}

{# A plain cast to timestamp would drop the offset. Without one, the session's zone counts, which the profile sets to UTC. #}
{% macro duckdb__utc_timestamp(text) -%}
    (try_cast({{ text }} as timestamptz) at time zone 'UTC')
{%- endmacro %}

{# Text with seconds (or, divided by 1000, milliseconds) since 1970 as a timestamp in UTC; null where it cannot be read. #}
{% macro epoch_timestamp(text, per_second=1) -%}
    (timestamp '1970-01-01 00:00:00' + try_cast({{ text }} as bigint) / {{ per_second }} * interval '1 second')
{%- endmacro %}

{# Text without a zone, written by a clock in China, as a timestamp in UTC; null where it cannot be read. #}
{% macro china_timestamp(text) -%}
    (try_cast({{ text }} as timestamp) - interval '8 hours')
{%- endmacro %}
