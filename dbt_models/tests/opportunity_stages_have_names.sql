-- Some CRMs tell a stage by its number alone. Nothing is won or lost by a number: name those listed here in the var `crm_stage_names`.
{{ config(severity='warn') }}
select stage, count(*) as opportunities, min(opportunity_id) as for_example
from {{ ref('stg_crm__opportunities') }}
where regexp_full_match(stage, '[0-9]+')
group by stage
