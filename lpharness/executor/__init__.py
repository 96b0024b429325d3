"""Where work is done: here, in processes beside us, on other machines; one contract for all.

Knows nothing of trials: tasks in, news and outcomes out.
"""
