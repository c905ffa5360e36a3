for d in digits wine iris; do
  python train.py --dataset $d \
    --out out/$d
done
python elsewhere.py --dataset mushrooms
