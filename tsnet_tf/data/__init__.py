"""Video files to TFRecords to clips."""
