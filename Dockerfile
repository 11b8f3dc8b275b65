# The app and the service in one image. How to run it: captioner/service/README.md.

# The Python that CI tests. Every package has a wheel for it, so nothing is compiled.
FROM python:3.12-slim-trixie AS builder

WORKDIR /app
COPY requirements.txt ./
# Captions need the first section only; the doctor says what training needs.
RUN sed '/^# Training:/,$d' requirements.txt > /tmp/captions.txt
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: -r /tmp/captions.txt

COPY LICENSE app.py ./
COPY .streamlit .streamlit
COPY embeddings embeddings
COPY captioner captioner
COPY checkpoints checkpoints
# Compile now: at run time these files are read-only.
RUN python -m compileall -q --invalidation-mode unchecked-hash embeddings captioner \
    && chmod -R a+rX .


FROM python:3.12-slim-trixie

LABEL org.opencontainers.image.title="Triptych" \
      org.opencontainers.image.description="One photograph, one CNN, three LSTM decoders that caption it side by side" \
      org.opencontainers.image.licenses="MIT"

COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
WORKDIR /app

# Only /tmp is writable. Without the last line Streamlit asks an external server for this machine's public address.
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

# A number is enough: file systems and clusters need no user name.
USER 10001:10001
EXPOSE 8501 8000

# As the first process, Python ignores SIGTERM until the program installs a handler.
STOPSIGNAL SIGINT

# Checks whichever of the two runs. Without urllib, which would use a proxy named in the environment.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["sh", "-c", "\
    ask() { python -c \"import http.client, sys; service = http.client.HTTPConnection('127.0.0.1', $1, timeout=4); \
    service.request('GET', '$2'); sys.exit(service.getresponse().status != 200)\"; }; \
    ask 8501 /_stcore/health 2>/dev/null || ask 8000 /health"]

# page (default): the app. serve: the service. Any other word is a command of python -m captioner.
ENTRYPOINT ["sh", "-c", "case $1 in \
    page) shift; exec python -m streamlit run app.py -- \"$@\" ;; \
    serve) shift; exec python -m captioner serve --host 0.0.0.0 --port 8000 \"$@\" ;; \
    *) exec python -m captioner \"$@\" ;; \
    esac", "triptych"]
CMD ["page"]
