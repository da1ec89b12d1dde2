-- what every model of behaviour says of every person now, and said a week ago and when the people's buying began that it is held against
{{ score_totals({
    'score': as_of(),
    'score_week_ago': as_of() ~ " - interval '7 days'",
    'score_then': as_of() ~ " - interval '" ~ var('score_calibration_days') ~ " days'"
}) }}
