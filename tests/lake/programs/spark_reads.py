"""Ask Spark: SQL over the view `records` of the named files, one table of Hive-style partitions.

    spark_reads.py SQL BASE FILE ...

prints rows as JSON.
"""

from __future__ import annotations

import json
import sys

from pyspark.sql import SparkSession

sql, base, *files = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.shuffle.partitions", "2")
    .getOrCreate()
)
spark.read.option("basePath", base).parquet(*files).createOrReplaceTempView("records")
print(json.dumps([row.asDict() for row in spark.sql(sql).collect()], default=str))
spark.stop()
