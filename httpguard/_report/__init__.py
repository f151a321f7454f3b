"""`httpguard report`: the logs of many processes and days as one table of sites.

`inputs` opens files and finds the lines that may be ours, `counts` takes them in,
`sites` makes frozen values (`result`) of what it has counted, and one module for each
form of output shows them. `spark` counts on many machines.
"""
