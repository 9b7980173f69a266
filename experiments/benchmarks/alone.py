"""Import it before torch: everything is timed on the processor, and threads wait as in a command."""

import os

from sentiment_rnn.environment import shorten_spins

os.environ["CUDA_VISIBLE_DEVICES"] = ""
shorten_spins()
