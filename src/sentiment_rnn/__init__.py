"""How far back can a vanilla RNN remember, how far can an LSTM, and what does that cost on real text?"""

__version__ = "0.4.0"
