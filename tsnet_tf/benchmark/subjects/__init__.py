"""What ``bin/benchmark.py SUBJECT`` measures and shows: a module each, whose ``report`` has the subject's own flags."""
