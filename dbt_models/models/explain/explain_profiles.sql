select
    profile_id,
    'identifier' as topic,
    identifier_type || ' ' || identifier || coalesce(' and ' || other_type || ' ' || other_identifier, '') as subject,
    verdict,
    coalesce(rule || ': ' || reason, reason) as reason,
    evidence,
    first_seen_at as since
from {{ ref('explain_identifiers') }}
union all
select profile_id, 'lifecycle', 'stage', stage, 'by ' || source, evidence, since
from {{ ref('profile_lifecycle') }}
union all
select profile_id, 'segment', segment, case when is_member then 'in' else 'not in' end, reason, null, null
from {{ ref('segment_reasons') }}
union all
select profile_id, 'tag', tag, kind, rule, evidence, first_seen_at
from {{ ref('tag_assignments') }}
union all
select profile_id, 'score', model, score || coalesce(' (' || grade || ')', ''), null, null, scored_at
from {{ ref('score_profiles') }}
union all
select
    profile_id,
    'score component',
    model || ' ' || rule,
    cast(counted_points as varchar),
    occurrences || ' times' || case when counted_points <> points then ', worth ' || points || ' before the cap of ' || rule_group else '' end,
    evidence,
    last_event_at
from {{ ref('score_components') }}
union all
select profile_id, 'consent', channel || ' ' || purpose, status, source, evidence, since
from {{ ref('consent_state') }}
union all
select profile_id, 'suppression', channel, scope, reason, evidence, since
from {{ ref('suppressions') }}
union all
select profile_id, kind, ref, outcome, coalesce(reason_code || ': ' || reason, reason, reason_code), coalesce(message_id, changelog_id), recorded_at
from {{ ref('explain_messages') }}
