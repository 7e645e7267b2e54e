# The playground with its models inside; nothing is downloaded at start.
#
#   docker build -t kerckhoffs .
#   docker run --rm -p 8501:8501 -v kerckhoffs:/data kerckhoffs
#
# Keys, models and runs that are made lie in /data; the volume kerckhoffs keeps them when the container goes.
#
# PIP_INDEX_OPTIONS goes to pip as it is. To build a far smaller image without CUDA, give it the index of PyTorch's
# CPU builds:  --build-arg PIP_INDEX_OPTIONS="--extra-index-url <address of that index>"
FROM python:3.11-slim

ARG PIP_INDEX_OPTIONS=""
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir ${PIP_INDEX_OPTIONS} -r requirements.txt

COPY .streamlit .streamlit
COPY models models
COPY results results
COPY kerckhoffs kerckhoffs
COPY pages pages
COPY app.py README.md LICENSE ./

ENV KERCKHOFFS_HOME=/data
RUN useradd --create-home kerckhoffs && install --directory --owner=kerckhoffs --group=kerckhoffs /data
USER kerckhoffs
VOLUME /data

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"]
