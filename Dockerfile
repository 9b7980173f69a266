# A CPU image: trains the demo while it is built, and serves its best model.
#
#   docker build --tag sentiment-rnn .
#   docker run --rm --publish 127.0.0.1:5001:5001 sentiment-rnn
#
# PIP_EXTRA_INDEX_URL may name the index of CPU-only torch that PyTorch's install page gives; the image is then smaller by 4 GB.
FROM python:3.13-slim

ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

# The compiler stays in the image: the recurrence is compiled anew where the image runs on another processor.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home reader

USER reader
WORKDIR /home/reader/sentiment_rnn
COPY --chown=reader . .

RUN make setup && .venv/bin/python -m pip cache purge
RUN make demo

EXPOSE 5001
# Inside the container every address; which of the host's addresses reach it is what --publish says.
CMD ["make", "serve", "ARGS=--host 0.0.0.0"]
