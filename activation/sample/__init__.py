"""Sample data: a store for homes and offices with its visitors, customers and everything that their senders would send."""

from activation.sample.files import SampleFile
from activation.sample.sample import write_sample

__all__ = ["SampleFile", "write_sample"]
