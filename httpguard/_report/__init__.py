"""`httpguard report`: the logs of many processes and days as one table of sites.

`_inputs` opens files, `_records` turns lines into observations, `_grouping` turns
observations into figures; both are Ibis expressions, run by `_duckdb` or `_spark`.
`_result` holds what came out as frozen values, and one module for each form of
output shows it. What this needs is in the extra ``report``.
"""
