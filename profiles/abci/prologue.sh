# Bash commands at the start of every PBS job, also of pack.sh. They run in the folder of nasmake, before its Python starts.
# PyTorch's wheels need no CUDA module. Enable the next lines if .venv was made with a Python module.
# source /etc/profile.d/modules.sh
# module load python/3.12/3.12.9
