"""SQL of the loads into the schemas that Aspects reads."""
