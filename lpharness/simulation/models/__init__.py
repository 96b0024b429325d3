"""The rules of the five models, each in a file of its own; here the one in use is asked.

A sixth model is one more file, one more number in `codes`, and its lines here.
"""
