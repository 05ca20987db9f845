"""tmp"""
import sys, types
try:
    import trustsem.spec.export
except ImportError:
    m = types.ModuleType('trustsem.spec.export'); m.to_lavaan = str; sys.modules['trustsem.spec.export'] = m
from trustsem.fitting.sem import cfa, compile, growth, lavaan, sem
from trustsem.data import cor2cov, cov_from_lower, datasets, load_dataset, load_summary, read_table
__all__=[]
