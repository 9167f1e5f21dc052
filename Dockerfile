# Headscript on a CPU; docs/serving.md says how to run it.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE app.py requirements*.txt constraints.txt ./
COPY .streamlit/config.toml .streamlit/
COPY core core/
COPY pages pages/
RUN python -m pip install --no-cache-dir -c constraints.txt hatchling \
    && python -m hatchling build -t wheel -d /dist

FROM python:3.11-slim-bookworm
WORKDIR /opt/headscript
COPY --from=build /src/constraints.txt ./
COPY --from=build /dist/ dist/
# The CPU build of torch; a plain one would bring three gigabytes for graphics cards.
RUN python -m pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    -c constraints.txt "$(echo dist/*.whl)[auth,openai,serve]"
ENV HEADSCRIPT_WORKSPACE=/data/workspace \
    HEADSCRIPT_MODELS=/data/models \
    HF_HOME=/data/huggingface \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0
RUN install -d -o 1000 -g 1000 /data
USER 1000:1000
WORKDIR /data
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["headscript", "app", "--no-browser"]
