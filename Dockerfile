# Triptych's page and its service in one image; how to run it stands in the README under "In a container".

# fastText's wheel ends at Python 3.12. Up to there everything has a wheel, so nothing is compiled, here or later.
FROM python:3.12-slim-trixie AS builder

WORKDIR /app
COPY requirements.txt ./
# What only the tests need, a browser's driver among it, stays outside; the doctor reads the list as it is left.
RUN sed -i '/^# The tests/,$d' requirements.txt
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: -r requirements.txt

COPY LICENSE app.py ./
COPY .streamlit .streamlit
COPY embeddings embeddings
COPY captioner captioner
COPY checkpoints checkpoints
# Python could keep nothing at run time, where all of this is read-only and another user's.
RUN python -m compileall -q --invalidation-mode unchecked-hash embeddings captioner \
    && chmod -R a+rX .


FROM python:3.12-slim-trixie

LABEL org.opencontainers.image.title="Triptych" \
      org.opencontainers.image.description="One photograph, one CNN, three LSTM decoders that caption it side by side" \
      org.opencontainers.image.licenses="MIT"

COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
WORKDIR /app

# Whatever is written goes to /tmp, the one place that may be written to. Without the last line Streamlit would ask a server
# on the Internet for this machine's address when it starts.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    TRIPTYCH_CACHE=/tmp/triptych \
    MPLCONFIGDIR=/tmp/matplotlib \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost

# It has no name: a number is all that a file system or a cluster asks for.
USER 10001:10001
EXPOSE 8501 8000

# Python, the first process, would not hear another signal before the program has asked for it.
STOPSIGNAL SIGINT

# Asks whichever of the two runs here. Not by urllib, which would ask a proxy where the environment names one.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["sh", "-c", "\
    ask() { python -c \"import http.client, sys; service = http.client.HTTPConnection('127.0.0.1', $1, timeout=4); \
    service.request('GET', '$2'); sys.exit(service.getresponse().status != 200)\"; }; \
    ask 8501 /_stcore/health 2>/dev/null || ask 8000 /health"]

# page: the page, also when nothing is said. serve: the service. Any other word is a command of python -m captioner.
ENTRYPOINT ["sh", "-c", "case $1 in \
    page) shift; exec python -m streamlit run app.py -- \"$@\" ;; \
    serve) shift; exec python -m captioner serve --host 0.0.0.0 --port 8000 \"$@\" ;; \
    *) exec python -m captioner \"$@\" ;; \
    esac", "triptych"]
CMD ["page"]
