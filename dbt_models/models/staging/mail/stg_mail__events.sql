with told as (
    {{ unpack(source('raw', 'mail_events'), {
        'vendor': 'vendor',
        'told_event_id': 'event_id',
        'event': 'event',
        'status': 'status',
        'reason': 'reason',
        'email': 'email',
        'url': 'url',
        'timestamp_text': 'timestamp',
        'message_id_argument': 'message_id',
        'sg_event_id': 'sg_event_id',
        'sg_message_id': 'sg_message_id',
        'smtp_id': 'smtp-id',
        'bounce_type': 'type',
        'response': 'response',
        'user_agent': 'useragent',
        'machine_open_text': 'sg_machine_open',
        'ses_id': 'mail.messageId',
        'ses_tags': 'mail.tags.message_id',
        'ses_bounce_type': 'bounce.bounceType',
        'ses_link': 'click.link',
        'ses_click_agent': 'click.userAgent',
        'ses_open_agent': 'open.userAgent',
        'ses_left': 'subscription.newTopicPreferences.unsubscribeAll',
        'mailgun_id': 'message.headers.message-id',
        'mailgun_variable': 'user-variables.message_id',
        'mailgun_severity': 'severity',
        'mailgun_code': 'delivery-status.code',
        'mailgun_said': 'delivery-status.message',
        'mailgun_agent': 'client-info.user-agent',
        'mailgun_bot': 'client-info.bot',
        'dm_id': 'data.env_id',
        'dm_headers': 'data.header',
        'dm_failed_type': 'data.failed_type',
        'dm_code': 'data.err_code',
        'dm_said': 'data.err_msg',
        'dm_url': 'data.url',
        'dm_agent': 'data.user_agent'
    }) }}
)

-- what each vendor calls what they all tell; SendGrid, whose shape files have as well, names no vendor
select
    coalesce(sg_event_id, vendor || ':' || told_event_id, _event_id) as event_id,
    coalesce(ses_id, mailgun_id, dm_id, sg_message_id) as provider_id,
    case vendor
        when 'ses' then {{ our_message_id('ses_tags') }}
        when 'mailgun' then mailgun_variable
        when 'aliyun_directmail' then {{ our_message_id('dm_headers') }}
        else coalesce(message_id_argument, {{ our_message_id('smtp_id') }})
    end as message_id,
    case
        when vendor = 'ses' and lower(event) = 'subscription' and ses_left = 'true' then 'unsubscribe'
        else replace(lower(event), ' ', '')
    end as event,
    lower(case vendor
        when 'ses' then ses_bounce_type
        -- for good is for good only where it says what is wrong with the address
        when 'mailgun' then case when mailgun_severity = 'temporary' then mailgun_severity when event = 'failed' then reason end
        when 'aliyun_directmail' then dm_failed_type
        else bounce_type
    end) as bounce_type,
    coalesce(mailgun_code, dm_code, status) as status,
    coalesce(nullif(mailgun_said, ''), dm_said, reason, response) as reason,
    {{ email_address('email') }} as email,
    coalesce(ses_link, dm_url, url) as url,
    coalesce(ses_click_agent, ses_open_agent, mailgun_agent, dm_agent, user_agent) as user_agent,
    coalesce(try_cast(machine_open_text as boolean), nullif(mailgun_bot, '') is not null) as is_machine_open,
    coalesce({{ epoch_timestamp('timestamp_text') }}, {{ utc_timestamp('timestamp_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from told
